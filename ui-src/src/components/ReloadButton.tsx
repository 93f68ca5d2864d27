// Loads the page again, of the server's version.
import { Icon } from "../ui/Icon";

export function ReloadButton() {
  return (
    <button
      type="button"
      className="button-plain"
      onClick={() => {
        location.reload();
      }}
    >
      <Icon name="rerun" /> Reload the page
    </button>
  );
}
