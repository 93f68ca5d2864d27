// Running executions again, for the list and for the page of one execution.
import { useMutation } from "@tanstack/react-query";
import { useRef } from "react";
import { useNavigate } from "react-router";
import { rerun } from "../api/executions";
import { describe } from "../ui/notices";
import { toast } from "../ui/toasts";

export function useActions() {
  const navigate = useNavigate();
  const isStarting = useRef(false);
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
    rerun: (id: string) => {
      // The second click of a double click comes before this is rendered again.
      if (isStarting.current) return;
      isStarting.current = true;
      again.mutate(id, {
        onSettled: () => {
          isStarting.current = false;
        },
      });
    },
    isBusy: again.isPending,
  };
}
