// The credentials that playbooks use by name: store, test, delete. Their data is never shown.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { deleteCredential, listCredentials, testCredential } from "../api/credentials";
import type { CredentialItem } from "../api/schema";
import { PageHeader } from "../components/PageHeader";
import "../styles/catalog.css";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { count } from "../ui/format";
import { Icon } from "../ui/Icon";
import { cut } from "../ui/LongText";
import { describe, Empty, ErrorNotice, Loading } from "../ui/notices";
import { Ago } from "../ui/Time";
import { toast } from "../ui/toasts";
import { CredentialDialog } from "./CredentialDialog";

export default function CredentialsPage() {
  const client = useQueryClient();
  const [isAdding, setAdding] = useState(false);
  const [doomed, setDoomed] = useState<string>();
  const { data, error, refetch } = useQuery({
    queryKey: ["credentials"],
    queryFn: ({ signal }) => listCredentials(signal),
  });
  const add = () => {
    setAdding(true);
  };

  return (
    <>
      <PageHeader
        title="Credentials"
        actions={
          <button type="button" onClick={add}>
            <Icon name="plus" /> New credential
          </button>
        }
      >
        {data !== undefined && <span role="status">{count(data.length, "credential")}</span>}
      </PageHeader>
      {error !== null && (
        <ErrorNotice error={error} what="The credentials could not be loaded" retry={() => void refetch()} />
      )}
      {data === undefined && error === null && <Loading what="the credentials" />}
      {data?.length === 0 && (
        <section className="panel">
          <Empty title="No credential yet">
            <p>
              Store one here, and let a step refer to it with <code>auth: its-name</code>.
            </p>
            <p className="empty-actions">
              <button type="button" onClick={add}>
                Store a credential
              </button>
            </p>
          </Empty>
        </section>
      )}
      {data !== undefined && data.length > 0 && <CredentialTable credentials={data} onDelete={setDoomed} />}
      {isAdding && (
        <CredentialDialog
          taken={(data ?? []).map(({ name }) => name)}
          onClose={() => {
            setAdding(false);
          }}
        />
      )}
      {doomed !== undefined && (
        <ConfirmDialog
          title="Delete this credential?"
          action="Delete credential"
          run={() => deleteCredential(doomed)}
          onClose={() => {
            setDoomed(undefined);
          }}
          onDone={() => {
            toast(`${doomed} is deleted`);
            setDoomed(undefined);
            void client.invalidateQueries({ queryKey: ["credentials"] });
          }}
        >
          <p>
            Steps that refer to <bdi>{doomed}</bdi> will fail from now on.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}

interface TableProps {
  credentials: readonly CredentialItem[];
  onDelete: (name: string) => void;
}

function CredentialTable({ credentials, onDelete }: TableProps) {
  return (
    <div className="table-frame">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Type</th>
            <th scope="col">Changed</th>
            <th scope="col" className="cell-actions">
              Actions
            </th>
          </tr>
        </thead>
        <tbody>
          {credentials.map((credential) => (
            <CredentialRow key={credential.name} credential={credential} onDelete={onDelete} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function CredentialRow({
  credential: { name, type, description, updated_at },
  onDelete,
}: {
  credential: CredentialItem;
  onDelete: (name: string) => void;
}) {
  const test = useMutation({ mutationFn: () => testCredential(name) });
  return (
    <tr>
      <th scope="row">
        <bdi className="row-link">{name}</bdi>
        {typeof description === "string" && description !== "" && (
          <p className="row-more">
            <bdi>{cut(description, 220)}</bdi>
          </p>
        )}
        <p className="test-outcome" role="status" data-ok={test.data?.ok}>
          {test.data !== undefined && (
            <bdi>{`${test.data.ok ? "Works" : "Does not work"}: ${cut(test.data.message, 400)}`}</bdi>
          )}
          {test.error !== null && <bdi>{`Not tested: ${describe(test.error)}`}</bdi>}
        </p>
      </th>
      <td>
        <span className="tag">{type}</span>
      </td>
      <td>
        <Ago time={updated_at} />
      </td>
      <td className="cell-actions">
        <span className="row-actions">
          <button
            type="button"
            className="button-plain button-small"
            aria-label={`Test ${name}`}
            aria-disabled={test.isPending}
            onClick={() => {
              if (!test.isPending) test.mutate();
            }}
          >
            {test.isPending ? "Testing …" : "Test"}
          </button>
          <button
            type="button"
            className="button-quiet button-icon"
            aria-label={`Delete ${name}`}
            title="Delete"
            onClick={() => {
              onDelete(name);
            }}
          >
            <Icon name="trash" />
          </button>
        </span>
      </td>
    </tr>
  );
}
