// Asks before something that cannot be taken back, and stays open to say why it failed.
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Dialog } from "./Dialog";
import { ErrorNotice } from "./notices";

interface Props {
  title: string;
  children: ReactNode;
  /** The verb on the button: what will happen, never "OK". */
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
        {/* The safe answer comes first, and so has the focus. */}
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
