// The current text compared with an earlier version.
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { getEntry } from "../api/catalog";
import { ErrorNotice, Loading } from "../ui/notices";

const DiffView = lazy(() => import("./DiffView"));

interface Props {
  path: string;
  version: number;
  current: string;
}

export function Comparison({ path, version, current }: Props) {
  const { data, error, refetch } = useQuery({
    queryKey: ["entry", path, version, "compare"],
    queryFn: ({ signal }) => getEntry(path, version, signal),
    staleTime: Infinity,
  });
  if (error !== null) {
    return (
      <ErrorNotice
        error={error}
        what={`Version ${version} could not be loaded`}
        retry={() => void refetch()}
      />
    );
  }
  if (data === undefined) return <Loading what={`version ${version}`} />;
  const original = data.content ?? "";
  return (
    <>
      {original === current && <p className="muted bench-note">It is the same as version {version}.</p>}
      <Suspense fallback={<Loading what="the comparison" />}>
        <DiffView original={original} current={current} label={`Changes since version ${version}`} />
      </Suspense>
    </>
  );
}
