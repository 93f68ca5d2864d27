// The editor page: loads the playbook and version in its address, or a template for a new playbook.
import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { getEntry } from "../api/catalog";
import { PageHeader } from "../components/PageHeader";
import "../styles/editor.css";
import { ErrorNotice, Loading } from "../ui/notices";
import { NEW_PLAYBOOK } from "./template";
import { wholeNumber } from "./wholeNumber";
import { Workbench } from "./Workbench";

export default function EditorPage() {
  const [parameters] = useSearchParams();
  const path = parameters.get("id") ?? "";
  const version = wholeNumber(parameters.get("version"));
  const { data, error, refetch } = useQuery({
    queryKey: ["entry", path, version ?? "latest"],
    queryFn: ({ signal }) => getEntry(path, version, signal),
    enabled: path !== "",
    // The text must not change while it is edited.
    staleTime: Infinity,
    gcTime: 0,
  });
  if (path === "") return <Workbench key="" path="" version={undefined} saved={NEW_PLAYBOOK} />;
  if (data !== undefined) {
    return (
      <Workbench
        key={`${path} ${data.version}`}
        path={path}
        version={data.version}
        saved={data.content ?? ""}
        {...targetOf(parameters)}
      />
    );
  }
  return (
    <>
      <PageHeader title={<bdi>{path}</bdi>} />
      {error === null ? (
        <Loading what="the playbook" />
      ) : (
        <>
          <ErrorNotice
            error={error}
            what={
              version === undefined
                ? `${path} could not be loaded`
                : `Version ${version} of ${path} could not be loaded`
            }
            retry={() => void refetch()}
          />
          <p>
            <Link to="/catalog">Open the catalog</Link>
          </p>
        </>
      )}
    </>
  );
}

function targetOf(parameters: URLSearchParams): { line?: number; compare?: number } {
  const line = wholeNumber(parameters.get("line"));
  const compare = wholeNumber(parameters.get("compare"));
  return { ...(line === undefined ? {} : { line }), ...(compare === undefined ? {} : { compare }) };
}
