// Reads a text file that is dropped or chosen; a label of a file input, so that the keyboard works too.
import { useState } from "react";
import { Icon } from "./Icon";

const LIMIT_BYTES = 5_000_000;

interface Props {
  accept: string;
  what: string;
  onText: (text: string, name: string) => void;
  onError: (message: string) => void;
}

export function DropZone({ accept, what, onText, onError }: Props) {
  const [isOver, setOver] = useState(false);

  async function take(file: File | null | undefined) {
    setOver(false);
    if (file === null || file === undefined) return;
    if (file.size > LIMIT_BYTES) {
      onError(`${file.name} is larger than 5 MB. That is no playbook.`);
      return;
    }
    try {
      onText(await file.text(), file.name);
    } catch {
      onError(`${file.name} could not be read. Choose it again.`);
    }
  }

  return (
    <label
      className="drop-zone"
      data-over={isOver}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => {
        setOver(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        void take(event.dataTransfer.files.item(0));
      }}
    >
      <input
        className="visually-hidden"
        type="file"
        accept={accept}
        onChange={(event) => {
          void take(event.target.files?.item(0));
          // Choosing the same file again must cause another event.
          event.target.value = "";
        }}
      />
      <Icon name="upload" />
      <span>Drop {what} here, or choose one</span>
    </label>
  );
}
