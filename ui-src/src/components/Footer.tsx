// The line below every page: which server this is. Its whole build stamp is the About page's matter.
import { useServerState, useVersion } from "../queries";

export function Footer() {
  return (
    <footer className="footer">
      <p className="footer-row">{useServerLine()}</p>
    </footer>
  );
}

function useServerLine(): string {
  const { server } = useServerState();
  const { data: stamp } = useVersion();
  switch (server.state) {
    case "checking":
      return "NoETL server: checking …";
    case "unreachable":
      return "NoETL server: not reachable";
    case "running":
      return stamp === undefined ? "NoETL server" : `NoETL server ${stamp.version}`;
  }
}
