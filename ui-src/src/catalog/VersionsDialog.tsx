// The versions of a playbook in a dialog.
import { Dialog } from "../ui/Dialog";
import { VersionList } from "./VersionList";

interface Props {
  path: string;
  onRun: (version: number) => void;
  onClose: () => void;
}

export function VersionsDialog({ path, onRun, onClose }: Props) {
  return (
    <Dialog title={`Versions of ${path}`} size="large" onClose={onClose}>
      <div className="dialog-body">
        <VersionList path={path} onRun={onRun} onEmpty={onClose} />
      </div>
    </Dialog>
  );
}
