// The documentation of the API: the server's OpenAPI document in Swagger UI, which also sends requests.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import "swagger-ui-dist/swagger-ui.css";
import { getOpenApi } from "../api/server";
import { PageHeader } from "../components/PageHeader";
import "../styles/docs.css";
import { useIsDark } from "../theme";
import { ErrorNotice, Loading } from "../ui/notices";

export default function DocsPage() {
  const { data, error, refetch } = useQuery({
    queryKey: ["openapi"],
    queryFn: ({ signal }) => getOpenApi(signal),
    staleTime: Infinity,
  });
  return (
    <>
      <PageHeader title="API">
        <span>What other programs ask of this server.</span>
        <a href="/api/openapi.json">OpenAPI document</a>
      </PageHeader>
      {data === undefined && error === null && <Loading what="the description of the API" />}
      {error !== null && (
        <ErrorNotice
          error={error}
          what="The description of the API could not be loaded"
          retry={() => void refetch()}
        />
      )}
      {data !== undefined && <Operations document={data} />}
    </>
  );
}

function Operations({ document: openApi }: { document: object }) {
  const frame = useRef<HTMLDivElement>(null);
  const isDark = useIsDark();
  useEffect(() => {
    const domNode = frame.current;
    if (domNode === null) return;
    SwaggerUI({
      domNode,
      spec: openApi,
      docExpansion: "list",
      filter: true,
      defaultModelsExpandDepth: 0,
      validatorUrl: null,
      tagsSorter: "alpha",
    });
    const observer = new MutationObserver(() => {
      mend(domNode);
    });
    observer.observe(domNode, { childList: true, subtree: true });
    return () => {
      observer.disconnect();
      domNode.replaceChildren();
    };
  }, [openApi]);
  useEffect(() => {
    // Its own name for the dark scheme.
    document.documentElement.classList.toggle("dark-mode", isDark);
    return () => {
      document.documentElement.classList.remove("dark-mode");
    };
  }, [isDark]);
  return <div ref={frame} className="docs" />;
}

/** Names the field that Swagger UI leaves without a name. */
function mend(frame: HTMLElement) {
  for (const body of frame.querySelectorAll("textarea:not([aria-label])")) {
    body.setAttribute("aria-label", "Request body");
  }
}
