//! `pleach id`: the identity of this machine's node.

use std::path::{Path, PathBuf};

use getrandom::SysRng;
use pleach_core::identity::Keypair;
use pleach_smol::identity;
use rand_core::UnwrapErr;
use serde_json::json;

use super::config::default_data_dir;
use super::error::{Exit, Failure};
use super::output::Output;

/// The file of the key in a data directory.
const KEY_FILE: &str = "identity.key";

/// What to do with the identity.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a new identity; an existing one is never overwritten
    New(Place),
    /// Show the identity
    Show(Place),
}

/// Where the identity is.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Where the key is; made if missing [default: $XDG_DATA_HOME/pleach]
    #[arg(long, value_name = "DIR", env = "PLEACH_NODE_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

pub(crate) fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    let directory = |place: Place| place.data_dir.map_or_else(default_data_dir, Ok);
    let (pair, path) = match command {
        Command::New(place) => {
            let path = prepare(&directory(place)?)?.join(KEY_FILE);
            let pair = fresh();
            identity::create(&path, &pair)?;
            (pair, path)
        }
        Command::Show(place) => {
            let path = directory(place)?.join(KEY_FILE);
            let pair = identity::load(&path)
                .map_err(|error| if path.exists() { error.into() } else { missing(&path) })?;
            (pair, path)
        }
    };
    let id = pair.peer_id().to_string();
    if output.json {
        output.json("identity", json!({"peer": id, "file": path.display().to_string()}))?;
    } else {
        output.result(&id)?;
    }
    output.end(Exit::Done, None, serde_json::Value::Null)?;
    Ok(Exit::Done)
}

/// The identity in this data directory; a new one if there is none.
pub(crate) fn load_or_create(directory: &Path) -> Result<Keypair, Failure> {
    Ok(identity::load_or_create(&prepare(directory)?.join(KEY_FILE), fresh)?)
}

/// A key pair from the entropy of the system. Without entropy nothing can go on: that is a panic.
pub(crate) fn fresh() -> Keypair {
    Keypair::generate(&mut UnwrapErr(SysRng))
}

/// Makes the data directory, for its owner only.
fn prepare(directory: &Path) -> Result<&Path, Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|error| {
        let what = format!("cannot make the data directory {}: {error}", directory.display());
        Failure::new(Exit::Local, "data-dir", what).hint("choose another --data-dir")
    })?;
    Ok(directory)
}

fn missing(path: &Path) -> Failure {
    Failure::new(Exit::Local, "no-identity", format!("there is no identity in {}", path.display()))
        .hint("make one: pleach id new")
}
