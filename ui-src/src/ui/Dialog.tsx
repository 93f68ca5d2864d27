// A modal dialog: the browser's own, which traps the focus, closes on Escape and gives the focus back.
import { useEffect, useId, useRef, type ReactNode } from "react";
import { Icon } from "./Icon";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  size?: "small" | "large";
  /** A dialog that has no way out but its own button: the token prompt. */
  isRequired?: boolean;
}

/** Open for as long as it is drawn; the caller draws it or not. */
export function Dialog({ title, onClose, children, size = "small", isRequired = false }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const element = dialog.current;
    if (element?.open === false) element.showModal();
    return () => {
      element?.close();
    };
  }, []);

  return (
    <dialog
      ref={dialog}
      className="dialog"
      data-size={size}
      aria-labelledby={titleId}
      onCancel={(event) => {
        // The caller decides whether it goes, for it keeps the state; and a file input cancels too.
        if (event.target !== event.currentTarget) return;
        event.preventDefault();
        if (!isRequired) onClose();
      }}
    >
      <div className="dialog-header">
        <h2 id={titleId}>{title}</h2>
        {!isRequired && (
          <button type="button" className="button-quiet button-icon" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        )}
      </div>
      {children}
    </dialog>
  );
}
