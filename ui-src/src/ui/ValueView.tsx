// A value that can be read as a tree or as text, copied, and kept in a file.
import { useState } from "react";
import { download } from "./download";
import { Icon } from "./Icon";
import { isBranch, JsonTree } from "./JsonTree";
import { asText, LongText } from "./LongText";

interface Props {
  value: unknown;
  label: string;
  /** The name of the file, without its extension. */
  file: string;
}

export function ValueView({ value, label, file }: Props) {
  const [isTree, setTree] = useState(true);
  return (
    <div className="value-view">
      <div className="value-actions">
        {isBranch(value) && (
          <button
            type="button"
            className="button-quiet"
            onClick={() => {
              setTree(!isTree);
            }}
          >
            {isTree ? "As text" : "As tree"}
          </button>
        )}
        <button
          type="button"
          className="button-quiet"
          aria-label={`Download ${label}`}
          onClick={() => {
            const isText = typeof value === "string";
            download(asText(value), `${file}.${isText ? "txt" : "json"}`, isText ? "text/plain" : "application/json");
          }}
        >
          <Icon name="save" /> Download
        </button>
      </div>
      {isTree && isBranch(value) ? <JsonTree value={value} label={label} /> : <LongText value={value} label={label} />}
    </div>
  );
}
