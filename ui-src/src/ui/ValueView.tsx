// A value that can be read as a tree or as text, copied, and kept in a file.
import { useState } from "react";
import { CopyButton } from "./CopyButton";
import { download } from "./download";
import { Icon } from "./Icon";
import { isBranch, JsonTree } from "./JsonTree";
import { asText, isOmitted, LongText, omittedIn } from "./LongText";

interface Props {
  value: unknown;
  label: string;
  /** The name of the file, without its extension. */
  file: string;
}

export function ValueView({ value, label, file }: Props) {
  const [isTree, setTree] = useState(true);
  // The tree of a value that is only named would be its name.
  const hasTree = isBranch(value) && !isOmitted(value);
  const isPartial = omittedIn(value).length > 0;
  return (
    <div className="value-view">
      <div className="value-actions">
        {hasTree && (
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
        {isTree && hasTree && <CopyButton text={asText(value)} what={label} />}
        <button
          type="button"
          className="button-quiet"
          aria-label={`Download ${label}`}
          onClick={() => {
            const isText = typeof value === "string";
            download(asText(value), `${file}${isPartial ? "-partial" : ""}.${isText ? "txt" : "json"}`, isText ? "text/plain" : "application/json");
          }}
        >
          <Icon name="save" /> Download
        </button>
      </div>
      {isTree && hasTree ? <JsonTree value={value} label={label} /> : <LongText value={value} label={label} />}
    </div>
  );
}
