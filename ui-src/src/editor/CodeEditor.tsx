// The text of a playbook, edited with CodeMirror: YAML colours, the server's problems in the gutter, and
// jumps to a line. Loaded when it is opened. What the text means is the server's word alone.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import type { Problem } from "../api/schema";
import { codeTheme } from "./codeTheme";
import { marksOf, rangeOf } from "./diagnostics";

/** A place to go to; another object with the same numbers is another wish to go there. */
export interface Target {
  line: number;
  column: number;
}

export interface CodeEditorProps {
  /** The text to begin with; what it becomes is told by `onChange`. Another text needs another `key`. */
  initial: string;
  label: string;
  problems: readonly Problem[];
  target: Target | undefined;
  onChange: (content: string) => void;
  onSave: () => void;
}

// Marks that turn the text around are drawn as dots: what is read must be what is run.
const SPECIAL = highlightSpecialChars({ addSpecialChars: /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g });

export default function CodeEditor({ initial, label, problems, target, onChange, onSave }: CodeEditorProps) {
  const [begun] = useState(initial);
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const changed = useEffectEvent(onChange);
  const save = useEffectEvent(onSave);

  useEffect(() => {
    if (host.current === null) return;
    // In a shadow root CodeMirror uses constructed style sheets, which the server's policy allows.
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const created = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: begun,
        extensions: [
          lineNumbers(),
          lintGutter(),
          foldGutter(),
          history(),
          SPECIAL,
          drawSelection(),
          indentOnInput(),
          indentUnit.of("  "),
          bracketMatching(),
          highlightActiveLine(),
          highlightActiveLineGutter(),
          highlightSelectionMatches(),
          yaml(),
          codeTheme,
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({
            "aria-label": label,
            // It can be focused without; what checks pages for it does not know.
            tabindex: "0",
            "aria-description": "Tab indents. Press Escape and then Tab to leave the text.",
          }),
          keymap.of([
            {
              key: "Mod-s",
              preventDefault: true,
              run: () => {
                save();
                return true;
              },
            },
            indentWithTab,
            ...lintKeymap,
            ...searchKeymap,
            ...foldKeymap,
            ...historyKeymap,
            ...defaultKeymap,
          ]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) changed(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = created;
    return () => {
      created.destroy();
      view.current = undefined;
    };
  }, [begun, label]);

  useEffect(() => {
    const current = view.current;
    if (current === undefined) return;
    current.dispatch(setDiagnostics(current.state, marksOf(problems, current.state.doc)));
  }, [problems]);

  useEffect(() => {
    const current = view.current;
    if (current === undefined || target === undefined) return;
    const { from, to } = rangeOf(current.state.doc, target.line, target.column);
    current.dispatch({
      selection: { anchor: from, head: to },
      effects: EditorView.scrollIntoView(from, { y: "center" }),
    });
    current.focus();
  }, [target]);

  return <div className="code-host" ref={host} />;
}
