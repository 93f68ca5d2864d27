// The footer of every page: the server's version. The About page has the whole build stamp.
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
