// The CodeMirror theme with the colours of tokens.css. In a shadow root its styles need no <style> element, and so
// no exception in the server's policy.
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const theme = EditorView.theme({
  "&": { minHeight: "0", color: "var(--ink)", backgroundColor: "var(--surface)", fontSize: "0.8125rem" },
  // The frame shows the focus, since the gutters would cover an outline.
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "1.6", overflow: "auto", minHeight: "0" },
  ".cm-content": { caretColor: "var(--ink)", paddingBlock: "0.75rem" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--ink)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "var(--selection)",
  },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--ink-muted)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { paddingInline: "0.75rem 0.5rem" },
  // Transparent, since the selection is drawn below it.
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--ink) 5%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--hover)", color: "var(--ink)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": {
    backgroundColor: "transparent",
    outline: "1px solid var(--control-line)",
  },
  ".cm-tooltip": {
    border: "1px solid var(--line)",
    borderRadius: "6px",
    backgroundColor: "var(--raised)",
    color: "var(--ink)",
    boxShadow: "var(--shadow)",
    overflow: "hidden",
    maxWidth: "min(36rem, 90vw)",
  },
  ".cm-diagnostic": {
    padding: "0.4rem 0.75rem",
    fontFamily: "var(--font)",
    fontSize: "0.8125rem",
    whiteSpace: "pre-wrap",
  },
  ".cm-diagnostic-error": { borderLeftColor: "var(--danger)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warning)" },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-panel.cm-search": { padding: "0.5rem", fontFamily: "var(--font)" },
  ".cm-panel.cm-search label": { fontSize: "0.8125rem" },
  ".cm-textfield": {
    border: "1px solid var(--control-line)",
    borderRadius: "4px",
    backgroundColor: "var(--surface)",
    color: "var(--ink)",
    fontSize: "0.8125rem",
  },
  ".cm-button": {
    border: "1px solid var(--control-line)",
    borderRadius: "4px",
    backgroundImage: "none",
    backgroundColor: "var(--surface)",
    color: "var(--ink)",
    fontSize: "0.8125rem",
  },
  ".cm-searchMatch": { backgroundColor: "var(--warning-wash)", outline: "1px solid var(--warning)" },
  ".cm-changedLine, .cm-inlineChangedLine": { backgroundColor: "var(--ok-wash) !important" },
  ".cm-changedText": { background: "none !important", textDecoration: "underline 2px var(--ok)" },
  ".cm-deletedChunk": { backgroundColor: "var(--danger-wash) !important", paddingLeft: "6px" },
  ".cm-deletedChunk .cm-deletedText": {
    background: "none !important",
    textDecoration: "line-through var(--danger)",
  },
  ".cm-changeGutter": { width: "3px" },
  ".cm-changedLineGutter": { background: "var(--ok) !important" },
  ".cm-deletedLineGutter": { background: "var(--danger) !important" },
  ".cm-collapsedLines": {
    color: "var(--ink-muted)",
    background: "var(--hover)",
    paddingBlock: "0.25rem",
    fontFamily: "var(--font)",
  },
  ".cm-collapsedLines::before, .cm-collapsedLines::after": { content: '"⋯"' },
});

const highlight = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-key)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.atom], color: "var(--code-value)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--ink-muted)", fontStyle: "italic" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--ink-muted)" },
  { tag: [tags.labelName, tags.typeName, tags.meta], color: "var(--code-value)" },
]);

export const codeTheme: Extension = [theme, syntaxHighlighting(highlight)];
