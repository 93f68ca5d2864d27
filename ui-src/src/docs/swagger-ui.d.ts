// What this page uses of Swagger UI, whose package has no types.
declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  interface Options {
    domNode: HTMLElement;
    spec: object;
    docExpansion?: "list" | "full" | "none";
    filter?: boolean;
    defaultModelsExpandDepth?: number;
    /** Null asks no service of others whether the document is valid. */
    validatorUrl: null;
    tagsSorter?: "alpha";
  }
  export default function SwaggerUI(options: Options): unknown;
}
