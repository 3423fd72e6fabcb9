//! Settings of a node: flag, then `PLEACH_NODE_*`, then the file, then the default.

use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::Deserialize;
use toml::Spanned;

use super::address::Place;
use super::error::{Exit, Failure};
use super::peer::Preset;

/// The settings of `pleach node` that may come from flags or the environment.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Flags {
    /// Where to listen; port 0 takes a free one. May be given several times [default: 0.0.0.0:0]
    #[arg(long, value_name = "ADDR", env = "PLEACH_NODE_LISTEN", value_delimiter = ',')]
    listen: Vec<Place>,
    /// A node to join through. May be given several times
    #[arg(long, value_name = "ADDR", env = "PLEACH_NODE_PEER", value_delimiter = ',')]
    peer: Vec<Place>,
    /// A topic to take part in; stdin goes to the first. May be given several times [default: /pleach/main]
    #[arg(long, env = "PLEACH_NODE_TOPIC", value_delimiter = ',')]
    topic: Vec<String>,
    /// The name of the network [default: that of the preset]
    #[arg(long, value_name = "NAME", env = "PLEACH_NODE_NETWORK")]
    network: Option<String>,
    /// The rules of the network; under solcial, which leaves them to the application, every payload and every peer is
    /// accepted [default: native]
    #[arg(long, env = "PLEACH_NODE_PRESET")]
    preset: Option<Preset>,
    /// Where the key and the store are; made if missing [default: $XDG_DATA_HOME/pleach]
    #[arg(long, value_name = "DIR", env = "PLEACH_NODE_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Serve health, metrics and state over HTTP; a bare port is opened on loopback
    #[arg(long, value_name = "ADDR", env = "PLEACH_NODE_ADMIN")]
    admin: Option<String>,
    /// Read settings from this file [default: $XDG_CONFIG_HOME/pleach/config.toml, if there is one]
    #[arg(short, long, value_name = "FILE", env = "PLEACH_CONFIG")]
    config: Option<PathBuf>,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    node: Section,
}

/// Its table `[node]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Section {
    listen: Vec<Spanned<String>>,
    peer: Vec<Spanned<String>>,
    topic: Vec<String>,
    network: Option<String>,
    preset: Option<Preset>,
    data_dir: Option<PathBuf>,
    admin: Option<String>,
}

/// What a node is run with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) listen: Vec<Place>,
    pub(crate) peers: Vec<Place>,
    /// Never empty.
    pub(crate) topics: Vec<String>,
    /// The preset's, if none.
    pub(crate) network: Option<String>,
    pub(crate) preset: Preset,
    pub(crate) data_dir: PathBuf,
    pub(crate) admin: Option<String>,
}

impl Flags {
    /// All layers together.
    pub(crate) fn settle(self) -> Result<Settings, Failure> {
        let (places, section) = self.read_file()?;
        let [listen, peer] = places;
        let Section { topic, network, preset, data_dir, admin, .. } = section;
        Ok(Settings {
            listen: first_given(self.listen, [listen, vec![everywhere()?]]),
            peers: first_given(self.peer, [peer]),
            topics: first_given(self.topic, [topic, vec!["/pleach/main".to_owned()]]),
            network: self.network.or(network),
            preset: self.preset.or(preset).unwrap_or_default(),
            data_dir: match self.data_dir.or(data_dir) {
                Some(data_dir) => data_dir,
                None => default_data_dir()?,
            },
            admin: self.admin.or(admin),
        })
    }

    /// The addresses in the file (to listen, to join), and the rest of it.
    fn read_file(&self) -> Result<([Vec<Place>; 2], Section), Failure> {
        match &self.config {
            Some(path) => read(path),
            None => {
                let usual = base().ok().map(|base| base.config_dir().join("pleach").join("config.toml"));
                usual.filter(|path| path.exists()).map_or_else(|| Ok(Default::default()), |path| read(&path))
            }
        }
    }
}

fn first_given<T, const N: usize>(given: Vec<T>, others: [Vec<T>; N]) -> Vec<T> {
    [given].into_iter().chain(others).find(|values| !values.is_empty()).unwrap_or_default()
}

fn everywhere() -> Result<Place, Failure> {
    "0.0.0.0:0".parse().map_err(|error: String| Failure::new(Exit::Bug, "default", error))
}

fn read(path: &Path) -> Result<([Vec<Place>; 2], Section), Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::new(Exit::Config, "config-unreadable", format!("cannot read {}: {error}", path.display()))
    })?;
    parse(&path.display().to_string(), &text)
}

/// Reads the text of the file called `name`.
fn parse(name: &str, text: &str) -> Result<([Vec<Place>; 2], Section), Failure> {
    let wrong = |at: usize, why: &str| {
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        let what = format!("{name}, line {line}: {}", why.trim_end().replace('\n', "; "));
        Failure::new(Exit::Config, "config-invalid", what)
    };
    let file: File = toml::from_str(text)
        .map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message()))?;
    let places = |texts: &[Spanned<String>]| {
        let place = |text: &Spanned<String>| {
            text.get_ref().parse().map_err(|why: String| wrong(text.span().start, &why))
        };
        texts.iter().map(place).collect::<Result<Vec<Place>, Failure>>()
    };
    Ok(([places(&file.node.listen)?, places(&file.node.peer)?], file.node))
}

/// `$XDG_DATA_HOME/pleach`, or what stands for it on this system.
pub(crate) fn default_data_dir() -> Result<PathBuf, Failure> {
    Ok(base()?.data_dir().join("pleach"))
}

fn base() -> Result<impl BaseStrategy, Failure> {
    etcetera::choose_base_strategy().map_err(|error| {
        Failure::new(Exit::Local, "no-home", format!("no home directory: {error}"))
            .hint("give --data-dir DIR")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_gives_what_no_flag_gives() {
        let file =
            "[node]\ntopic = [\"a\", \"b\"]\nnetwork = \"test\"\npreset = \"solcial\"\ndata_dir = \"/tmp/x\"";
        let path = std::env::temp_dir().join(format!("pleach-config-{}.toml", std::process::id()));
        fs::write(&path, file).unwrap();
        let flags = Flags { topic: vec!["c".into()], config: Some(path.clone()), ..Flags::default() };
        let settings = flags.settle().unwrap();
        fs::remove_file(path).unwrap();
        assert_eq!(settings.topics, ["c"], "a flag replaces the whole list");
        assert_eq!((settings.network.as_deref(), settings.preset), (Some("test"), Preset::Solcial));
        assert_eq!(settings.listen[0].to_string(), "0.0.0.0:0");
    }

    #[test]
    fn mistakes_are_named_with_file_line_and_what_is_accepted() {
        let named = |text| parse("c.toml", text).unwrap_err().what;
        let unknown = named("[node]\n\nlisten = []\ntopics = []\n");
        assert!(unknown.starts_with("c.toml, line 4: unknown field `topics`"), "{unknown}");
        assert!(unknown.contains("`topic`") && unknown.contains("`data_dir`"), "{unknown}");
        let preset = named("[node]\npreset = \"nativ\"");
        assert!(preset.contains("line 2") && preset.contains("`native`"), "{preset}");
        let address = named("[node]\npeer = [\n  \"host\",\n]");
        assert!(address.contains("line 3") && address.contains("HOST:PORT"), "{address}");
    }
}
