// The template of a new playbook: small, valid, with the parts that most playbooks have.
export const NEW_PLAYBOOK = `apiVersion: noetl.io/v2
kind: Playbook
metadata:
  name: hello
  path: examples/hello
  description: Says hello.
workload:
  message: Hello from NoETL
workflow:
  - step: start
    tool:
      kind: shell
      cmds: echo "{{ workload.message }}"
    next:
      - step: end
  - step: end
`;

/** Returns the template with a path that no playbook has. */
export function freeTemplate(taken: readonly string[]): string {
  const known = new Set(taken);
  let name = "hello";
  for (let number = 2; known.has(`examples/${name}`); number += 1) name = `hello-${number}`;
  return NEW_PLAYBOOK.replace("name: hello\n", `name: ${name}\n`).replace(
    "path: examples/hello\n",
    `path: examples/${name}\n`,
  );
}
