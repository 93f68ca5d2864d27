// The button that runs what failed in an execution again, with the results of what ended well.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { retry } from "../api/executions";
import { Dialog } from "../ui/Dialog";
import { Icon } from "../ui/Icon";
import { ErrorNotice } from "../ui/notices";
import { toast } from "../ui/toasts";

export function RetryButton({ id, version }: { id: string; version: number }) {
  const [isAsking, setIsAsking] = useState(false);
  return (
    <>
      <button
        type="button"
        className="button-plain"
        onClick={() => {
          setIsAsking(true);
        }}
      >
        <Icon name="rerun" /> Retry …
      </button>
      {isAsking && (
        <RetryDialog
          id={id}
          version={version}
          onClose={() => {
            setIsAsking(false);
          }}
        />
      )}
    </>
  );
}

function RetryDialog({ id, version, onClose }: { id: string; version: number; onClose: () => void }) {
  const navigate = useNavigate();
  const [isNewest, setNewest] = useState(false);
  const again = useMutation({
    mutationFn: () => retry(id, isNewest ? "latest" : null),
    onSuccess: async ({ execution_id }) => {
      onClose();
      toast("Retried in a new execution");
      await navigate(`/execution/${execution_id}`);
    },
  });
  const choices = [
    { label: `Version ${version}, as before`, isChosen: !isNewest },
    { label: "The newest version", isChosen: isNewest },
  ];
  return (
    <Dialog title="Retry from what failed" onClose={onClose}>
      <div className="dialog-body form">
        <p>
          A new execution begins with the results of the steps that ended well. What failed is run again, and then what
          follows it.
        </p>
        <fieldset className="choices">
          <legend className="field-label">Playbook</legend>
          {choices.map(({ label, isChosen }, at) => (
            <label key={label} className="toggle">
              <input
                type="radio"
                name="version"
                checked={isChosen}
                onChange={() => {
                  setNewest(at === 1);
                }}
              />
              {label}
            </label>
          ))}
        </fieldset>
      </div>
      {again.error !== null && <ErrorNotice error={again.error} what="It was not retried" />}
      <div className="dialog-footer">
        <button type="button" className="button-plain" onClick={onClose}>
          Close
        </button>
        <button
          type="button"
          aria-disabled={again.isPending}
          onClick={() => {
            if (!again.isPending) again.mutate();
          }}
        >
          Retry
        </button>
      </div>
    </Dialog>
  );
}
