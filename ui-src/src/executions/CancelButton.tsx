// The button that cancels an execution: it asks first, and takes a reason that is kept with the execution.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { cancel } from "../api/executions";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { Icon } from "../ui/Icon";
import { toast } from "../ui/toasts";

interface Props {
  id: string;
  path: string;
  className: string;
  label: string;
}

export function CancelButton({ id, path, className, label }: Props) {
  const client = useQueryClient();
  const [isAsking, setIsAsking] = useState(false);
  const [reason, setReason] = useState("");
  const close = () => {
    setIsAsking(false);
  };
  return (
    <>
      <button
        type="button"
        className={className}
        aria-label={label}
        onClick={() => {
          setIsAsking(true);
        }}
      >
        <Icon name="stop" /> Cancel
      </button>
      {isAsking && (
        <ConfirmDialog
          title="Cancel this execution?"
          action="Cancel the execution"
          run={async () => {
            const outcome = await cancel(id, reason.trim());
            toast(
              outcome === "already_completed"
                ? `Execution ${id} had already ended`
                : `Execution ${id} is cancelled`,
            );
          }}
          onClose={close}
          onDone={() => {
            close();
            void client.invalidateQueries({ queryKey: ["execution", id] });
          }}
        >
          <p>
            The running steps of <bdi>{path}</bdi> are stopped, and so are the executions that it has started.
          </p>
          <label className="field">
            <span className="field-label">Reason, kept with the execution</span>
            <input
              type="text"
              maxLength={500}
              value={reason}
              onChange={(event) => {
                setReason(event.target.value);
              }}
            />
          </label>
        </ConfirmDialog>
      )}
    </>
  );
}
