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
