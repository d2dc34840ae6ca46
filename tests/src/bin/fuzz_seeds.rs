//! Writes the seeds of the fuzz targets: `fuzz_seeds CORPUS DATA` makes `CORPUS/<target>/seed-NN`.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut folders = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(corpus), Some(data)) = (folders.next(), folders.next()) else {
        eprintln!("usage: fuzz_seeds CORPUS DATA");
        return ExitCode::from(2);
    };
    match karute_tests::fuzz::seeds::write(&corpus, &data) {
        Ok((files, bytes)) => println!("{files} seeds, {bytes} bytes"),
        Err(error) => {
            eprintln!("{}: {error}", corpus.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
