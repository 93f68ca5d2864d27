// A read-only diff of two versions of a playbook.
import { yaml } from "@codemirror/lang-yaml";
import { unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { codeTheme } from "./codeTheme";

export interface DiffViewProps {
  original: string;
  current: string;
  label: string;
}

export default function DiffView({ original, current, label }: DiffViewProps) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (host.current === null) return;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: current,
        extensions: [
          lineNumbers(),
          yaml(),
          codeTheme,
          EditorState.readOnly.of(true),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
          unifiedMergeView({ original, mergeControls: false, collapseUnchanged: { margin: 4, minSize: 8 } }),
        ],
      }),
    });
    return () => {
      view.destroy();
    };
  }, [original, current, label]);
  return <div className="code-host" ref={host} />;
}
