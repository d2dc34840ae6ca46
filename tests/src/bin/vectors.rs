//! Writes the vectors of both SPECs: `vectors FOLDER` makes FOLDER/consent/*.json and FOLDER/protocol/*.json.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: vectors FOLDER");
        return ExitCode::from(2);
    };
    for (crate_name, name, text) in karute_tests::vectors::files() {
        let path = folder.join(crate_name).join(name).with_extension("json");
        let made = fs::create_dir_all(folder.join(crate_name)).and_then(|()| fs::write(&path, text));
        if let Err(error) = made {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
