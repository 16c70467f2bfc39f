//! Writes man pages and shell completions of `dynamo-server` into a folder, laid out as under `/usr/share`.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;

/// Where each shell looks for completions below `/usr/share`, by Debian's rules.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions/dynamo-server"),
    (Shell::Zsh, "zsh/vendor-completions/_dynamo-server"),
    (Shell::Fish, "fish/vendor_completions.d/dynamo-server.fish"),
];

fn write(share: &Path) -> Result<(), Box<dyn Error>> {
    let mut command = dynamo_server::config::Cli::command();
    for (shell, path) in COMPLETIONS {
        let path = share.join(path);
        std::fs::create_dir_all(path.parent().ok_or("a path in a folder")?)?;
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command, "dynamo-server", &mut text);
        std::fs::write(path, text)?;
    }
    let pages = share.join("man/man1");
    std::fs::create_dir_all(&pages)?;
    clap_mangen::generate_to(command, &pages)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let share = std::env::args_os().nth(1).map(PathBuf::from).ok_or("into which folder?")?;
    write(&share)
}
