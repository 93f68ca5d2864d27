// What a new playbook begins with: small, valid, and with one of everything that a first one needs.
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
