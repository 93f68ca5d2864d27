// The button that opens the form of a playbook with the input of one of its executions.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { getInput } from "../api/executions";
import type { Execution } from "../api/schema";
import { RunDialog } from "../catalog/RunDialog";
import { Dialog } from "../ui/Dialog";
import { Icon } from "../ui/Icon";
import { ErrorNotice, Loading } from "../ui/notices";

export function RunAgainButton({ execution }: { execution: Execution }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        onClick={() => {
          setOpen(true);
        }}
      >
        <Icon name="rerun" /> Run again …
      </button>
      {isOpen && (
        <RunAgain
          execution={execution}
          onClose={() => {
            setOpen(false);
          }}
        />
      )}
    </>
  );
}

function RunAgain({ execution, onClose }: { execution: Execution; onClose: () => void }) {
  const { execution_id: id, path, version } = execution;
  const { data, error, refetch } = useQuery({
    queryKey: ["execution", id, "input"],
    queryFn: ({ signal }) => getInput(id, signal),
  });
  if (data !== undefined) {
    return (
      <RunDialog path={path} version={version} again={{ id, input: data }} onClose={onClose} />
    );
  }
  return (
    <Dialog title={`Run ${path}`} size="large" onClose={onClose}>
      {error === null ? (
        <Loading what="the input" />
      ) : (
        <ErrorNotice error={error} what="The input could not be loaded" retry={() => void refetch()} />
      )}
    </Dialog>
  );
}
