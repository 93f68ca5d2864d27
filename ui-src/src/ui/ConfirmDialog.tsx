// Asks for confirmation of an action that cannot be undone, and stays open to show its error.
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Dialog } from "./Dialog";
import { ErrorNotice } from "./notices";

interface Props {
  title: string;
  children: ReactNode;
  /** The text of the button: the verb of the action, never "OK". */
  action: string;
  run: () => Promise<unknown>;
  onDone: () => void;
  onClose: () => void;
}

export function ConfirmDialog({ title, children, action, run, onDone, onClose }: Props) {
  const { mutate, isPending, error } = useMutation({ mutationFn: run, onSuccess: onDone });
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="dialog-body">{children}</div>
      {error !== null && <ErrorNotice error={error} what={`${action} failed`} />}
      <div className="dialog-footer">
        {/* The safe button is first, so that it has the focus. */}
        <button type="button" className="button-plain" onClick={onClose}>
          Keep
        </button>
        <button
          type="button"
          className="button-danger"
          aria-disabled={isPending}
          onClick={() => {
            if (!isPending) mutate();
          }}
        >
          {action}
        </button>
      </div>
    </Dialog>
  );
}
