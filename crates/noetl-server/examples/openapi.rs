//! Prints the OpenAPI document as the types and comments of the handlers make it:
//! `cargo run -p noetl-server --features openapi --example openapi > crates/noetl-server/openapi.json`.

#[expect(clippy::print_stdout, reason = "the document is the output")]
fn main() {
    print!("{}", noetl_server::generate_openapi());
}
