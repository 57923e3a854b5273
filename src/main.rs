//! argv → run → exit code.
fn main() -> std::process::ExitCode {
    grantd::run::main()
}
