// The playbooks of this suite: each is small, serves one purpose, and needs no network.

export const GREETING = `apiVersion: noetl.io/v2
kind: Playbook
metadata:
  name: greeting
  path: e2e/greeting
  description: Says hello, slowly enough to be watched.
workload:
  message: Hello
  seconds: 1
  loud: false
  names: [ada, grace]
workflow:
  - step: start
    tool:
      kind: shell
      cmds: sleep {{ workload.seconds }}; echo "{{ workload.message }}"
    next:
      - step: greet
  - step: greet
    loop:
      in: "{{ workload.names }}"
      iterator: name
      mode: sequential
    tool:
      kind: shell
      cmds: echo "{{ workload.message }}, {{ name }}"
    next:
      - step: shout
        when: "{{ workload.loud }}"
      - step: end
  - step: shout
    tool:
      kind: shell
      cmds: echo LOUD
    next:
      - step: end
  - step: end
`;

export const CHATTY = `apiVersion: noetl.io/v2
kind: Playbook
metadata:
  name: chatty
  path: e2e/chatty
  description: Prints a line every half second, in colours, and one to standard error.
workflow:
  - step: start
    tool:
      kind: shell
      cmds: |
        for number in 1 2 3 4; do printf '\\033[32mline %s\\033[0m\\n' $number; sleep 0.5; done
        echo oops >&2
    next:
      - step: many
  - step: many
    tool:
      kind: shell
      cmds: seq -f 'row %g' 20000
`;

export const SLEEPER = `apiVersion: noetl.io/v2
kind: Playbook
metadata:
  name: sleeper
  path: e2e/sleeper
  description: Sleeps until it is cancelled.
workflow:
  - step: start
    tool:
      kind: shell
      cmds: sleep 300
    next:
      - step: end
  - step: end
`;

export const FAILING = `apiVersion: noetl.io/v2
kind: Playbook
metadata:
  name: failing
  path: e2e/failing
workflow:
  - step: start
    tool:
      kind: shell
      cmds: echo about to fail; exit 3
    next:
      - step: end
  - step: end
`;

/** Markup, a script, bidirectional control characters and a megabyte of text; all must be shown as text. */
export const HOSTILE = `apiVersion: noetl.io/v2
kind: Playbook
metadata:
  name: "<img src=x onerror=window.hacked=1>"
  path: "e2e/hostile"
  description: "\\u202Eturned <script>window.hacked=1</script> \\u200F around"
workload:
  html: "<b onmouseover=window.hacked=1>bold</b><script>window.hacked=1</script>"
  "<svg onload=window.hacked=1>": "\\u202Eabc"
workflow:
  - step: start
    desc: "<script>window.hacked=1</script>"
    tool:
      kind: shell
      cmds: head -c 1000000 /dev/zero | tr '\\0' 'x'; echo '<script>window.hacked=1</script>'
    next:
      - step: end
  - step: end
`;

export const NOTHING = `apiVersion: noetl.io/v2
kind: Playbook
metadata:
  name: nothing
  path: load/nothing
workflow:
  - step: start
`;

export const MANY_EVENTS = `apiVersion: noetl.io/v2
kind: Playbook
metadata:
  name: many
  path: load/many
workload:
  rounds: 400
workflow:
  - step: start
    loop:
      in: "{{ range(workload.rounds) | list }}"
      iterator: round
      mode: sequential
    tool:
      kind: noop
    next:
      - step: end
  - step: end
`;

/** Its sixth item fails, after five that do not. */
export const DIVIDING = `apiVersion: noetl.io/v2
kind: Playbook
metadata:
  name: dividing
  path: e2e/dividing
workload:
  items: [1, 2, 3, 4, 5, 6]
workflow:
  - step: start
    tool: {kind: noop}
    next: [{step: left}, {step: right}]
  - step: left
    tool: {kind: noop}
  - step: right
    tool: {kind: noop}
    next: [{step: divide}]
  - step: divide
    desc: Divides by the distance from six.
    loop: {in: "{{ workload.items }}", iterator: item}
    tool:
      kind: python
      args: {number: "{{ item }}", known: {deep: {answer: 42}}}
      code: |
        def main(number, known):
            print("dividing by", number - 6)
            return {"quotient": 1 / (number - 6)}
`;

/** A playbook of so many steps in a line. */
export function inLine(steps: number): string {
  const numbers = Array.from({ length: steps }, (_, at) => at);
  const workflow = numbers.map(
    (at) => `  - step: s${at}\n    tool: {kind: noop}\n    next: [{step: s${at + 1}}]\n`,
  );
  return `apiVersion: noetl.io/v2
kind: Playbook
metadata: {name: line, path: e2e/line${steps}}
workflow:
${workflow.join("")}  - step: s${steps}
    tool: {kind: noop}
`;
}

/** A playbook that says what its input must be. */
export const REGIONAL = `apiVersion: noetl.io/v2
kind: Playbook
metadata:
  name: regional
  path: e2e/regional
workload:
  replicas: 2
workload_schema:
  required: [region, day]
  properties:
    region: {enum: [eu, us], description: Where the cluster runs}
    replicas: {type: integer, minimum: 1, maximum: 10}
    day: {type: string, format: date, description: The day to load}
    note: {type: string, pattern: '^[a-z]*$'}
workflow:
  - step: load
    tool:
      kind: python
      args: {workload: "{{ workload }}"}
      code: |
        def main(workload):
            print(workload["region"], workload["replicas"], workload["day"], workload["note"])
`;
