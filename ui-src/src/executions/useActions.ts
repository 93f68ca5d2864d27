// Cancelling and rerunning executions, for the list and for the page of one execution.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { cancel, rerun } from "../api/executions";
import { describe } from "../ui/notices";
import { toast } from "../ui/toasts";

export function useActions() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const refresh = async (id: string) => {
    await client.invalidateQueries({ queryKey: ["execution", id] });
  };
  const cancelling = useMutation({
    mutationFn: cancel,
    onSuccess: async (outcome, id) => {
      toast(
        outcome === "already_completed"
          ? `Execution ${id} had already ended`
          : `Execution ${id} is cancelled`,
      );
      await refresh(id);
    },
    onError: (error, id) => {
      toast(`Execution ${id} could not be cancelled: ${describe(error)}`);
    },
  });
  const again = useMutation({
    mutationFn: rerun,
    onSuccess: async ({ execution_id }) => {
      toast("Started again");
      await navigate(`/execution/${execution_id}`);
    },
    onError: (error, id) => {
      toast(`Execution ${id} could not be run again: ${describe(error)}`);
    },
  });
  return {
    cancel: (id: string) => {
      if (!cancelling.isPending) cancelling.mutate(id);
    },
    rerun: (id: string) => {
      if (!again.isPending) again.mutate(id);
    },
    isBusy: cancelling.isPending || again.isPending,
  };
}
