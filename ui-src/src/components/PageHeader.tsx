// The head of a page: its heading, a description and its actions.
import type { ReactNode } from "react";

interface Props {
  title: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
}

export function PageHeader({ title, children, actions }: Props) {
  return (
    <div className="page-header">
      <div className="page-title">
        <h1>{title}</h1>
        {children !== undefined && <div className="page-facts">{children}</div>}
      </div>
      {actions !== undefined && <div className="actions">{actions}</div>}
    </div>
  );
}
