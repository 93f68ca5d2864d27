// A modal dialog by the browser's <dialog>, which traps the focus, closes on Escape and restores the focus.
import { useEffect, useId, useRef, type ReactNode } from "react";
import { Icon } from "./Icon";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  size?: "small" | "large";
  /** Whether it can only be closed by its own button, as the token prompt. */
  isRequired?: boolean;
}

/** Open while it is rendered. */
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
        // The caller closes it, since it has the state. File inputs inside it send cancel events too.
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
