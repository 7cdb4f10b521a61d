//! The `depesch` command: parses the command line and runs it.

fn main() -> std::process::ExitCode {
    depesch::cli::main()
}
