// The CodeMirror editor for a playbook: YAML colours, the server's problems in the gutter, and jumps to a line.
// Loaded on demand. Only the server interprets the text.
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

/** A place to jump to. A new object causes a jump, even with the same numbers. */
export interface Target {
  line: number;
  column: number;
}

export interface CodeEditorProps {
  /** The initial text. Changes are reported by `onChange`. To replace the text, use another `key`. */
  initial: string;
  label: string;
  problems: readonly Problem[];
  target: Target | undefined;
  onChange: (content: string) => void;
  onSave: () => void;
}

// Bidirectional control characters are drawn as dots, so that the text reads as it runs.
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
            // The text can be focused without it, but accessibility checkers do not detect that.
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
