// The editor page: loads the playbook and version in its address, or a template for a new playbook.
import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { getEntry, listPlaybooks } from "../api/catalog";
import { PageHeader } from "../components/PageHeader";
import "../styles/editor.css";
import { ErrorNotice, Loading } from "../ui/notices";
import { freeTemplate } from "./template";
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
  const known = useQuery({
    queryKey: ["catalog", "paths"],
    queryFn: ({ signal }) => listPlaybooks(signal),
    enabled: path === "",
    // The template must not change while it is edited.
    staleTime: Infinity,
    gcTime: 0,
  });
  if (path === "") {
    if (known.isPending) return <Loading what="the template" />;
    const taken = known.data?.map((entry) => entry.path) ?? [];
    return <Workbench key="" path="" version={undefined} saved={freeTemplate(taken)} />;
  }
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
