use super::*;

/// A folder of its own for a test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pleach-target-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn name(text: &str) -> Name {
    Name::try_from(text.as_bytes()).unwrap()
}

fn receive(folder: &Path, existing: Existing) -> Result<PathBuf, Failure> {
    let mut target = Target::create(Place::Folder(folder.to_owned()), &name("a.tar.gz"), existing)?;
    target.write(b"new")?;
    target.keep(Mode::usual())
}

#[test]
fn a_file_has_its_name_only_when_it_is_whole() {
    let scratch = Scratch::new("whole");
    let mut target = Target::create(Place::of(Some(&scratch.0)), &name("a.txt"), Existing::Refuse).unwrap();
    target.write(b"con").unwrap();
    target.write(b"tent").unwrap();
    let [part] = &scratch.files()[..] else { panic!("{:?}", scratch.files()) };
    assert!(part.starts_with('.') && part.ends_with(".part") && !part.contains("a.txt"), "{part}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(scratch.0.join(part)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let path = target.keep(Mode::usual()).unwrap();
    assert_eq!(path, scratch.0.join("a.txt"));
    assert_eq!((fs::read(&path).unwrap(), scratch.files()), (b"content".to_vec(), vec!["a.txt".to_owned()]));
    let usual = File::create(scratch.0.join("usual")).unwrap().metadata().unwrap().permissions();
    assert_eq!(fs::metadata(&path).unwrap().permissions(), usual);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_whose_mode_cannot_be_set_is_kept() {
    let scratch = Scratch::new("mode");
    let mut target = Target::create(Place::of(Some(&scratch.0)), &name("a"), Existing::Refuse).unwrap();
    // As on a file system without modes. Old kernels cannot seal like this.
    let flags = rustix::fs::MemfdFlags::NOEXEC_SEAL;
    let Ok(sealed) = rustix::fs::memfd_create("sealed", flags) else { return };
    target.file = sealed.into();
    let mode = Mode(rustix::fs::Mode::RWXU);
    assert!(mode.apply(&target.file).is_err());
    assert_eq!(target.keep(mode).unwrap(), scratch.0.join("a"));
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_named_with_the_way_out() {
    let failure = Target::create(Place::File("/proc/a".into()), &name("a"), Existing::Refuse).unwrap_err();
    assert_eq!((failure.code, failure.exit), ("file-unwritable", Exit::Local));
    assert!(failure.hint.unwrap().contains("--output PATH"));
}

#[test]
fn what_is_given_up_leaves_nothing() {
    let scratch = Scratch::new("given-up");
    let mut target = Target::create(Place::of(Some(&scratch.0)), &name("a"), Existing::Refuse).unwrap();
    target.write(b"half").unwrap();
    drop(target);
    assert!(scratch.files().is_empty());
}

#[test]
fn nothing_is_overwritten_unless_asked_for() {
    let scratch = Scratch::new("existing");
    let old = scratch.0.join("a.tar.gz");
    fs::write(&old, "old").unwrap();
    let refused = receive(&scratch.0, Existing::Refuse).unwrap_err();
    assert_eq!((refused.code, refused.exit), ("file-exists", Exit::Local));
    for number in ["a.tar (1).gz", "a.tar (2).gz"] {
        assert_eq!(receive(&scratch.0, Existing::KeepBoth).unwrap(), scratch.0.join(number));
    }
    assert_eq!(fs::read(&old).unwrap(), b"old");
    assert_eq!(receive(&scratch.0, Existing::Replace).unwrap(), old);
    assert_eq!(fs::read(&old).unwrap(), b"new");
    assert_eq!(scratch.files().len(), 3);
}

#[test]
fn the_place_that_is_announced_is_the_one_that_is_kept_unless_it_is_taken_meanwhile() {
    let scratch = Scratch::new("announced");
    let create = || Target::create(Place::of(Some(&scratch.0)), &name("a.b"), Existing::KeepBoth).unwrap();
    for number in ["a.b", "a (1).b", "a (2).b"] {
        let target = create();
        assert_eq!(target.shown(), shown(&scratch.0.join(number)));
        assert_eq!(target.keep(Mode::usual()).unwrap(), scratch.0.join(number));
    }
    let (one, other) = (create(), create());
    assert_eq!(one.keep(Mode::usual()).unwrap(), scratch.0.join("a (3).b"));
    assert_eq!(other.keep(Mode::usual()).unwrap(), scratch.0.join("a (4).b"));
}

#[test]
fn a_name_makes_room_for_its_number() {
    let numbered = |name: &str| numbered(Path::new(name), 12).into_os_string().into_string().unwrap();
    let long = |text: &str, count: usize| text.repeat(count);
    assert_eq!(numbered("f/a.tar.gz"), "f/a.tar (12).gz");
    assert_eq!(numbered(".hidden"), ".hidden (12)");
    assert_eq!(numbered(&format!("{}.txt", long("a", 251))), format!("{} (12).txt", long("a", 246)));
    assert_eq!(numbered(&long("a", 255)), format!("{} (12)", long("a", 250)));
    // Letters stay whole.
    assert_eq!(
        numbered(&format!("{}.txt", long("\u{4e16}", 83))),
        format!("{} (12).txt", long("\u{4e16}", 82))
    );
    // So long, it is no extension.
    assert_eq!(numbered(&format!("a.{}", long("b", 253))), format!("a.{} (12)", long("b", 248)));
    let scratch = Scratch::new("long");
    for _ in 0..2 {
        let name = name(&format!("{}.txt", long("a", 251)));
        let target = Target::create(Place::of(Some(&scratch.0)), &name, Existing::KeepBoth).unwrap();
        target.keep(Mode::usual()).unwrap();
    }
    assert_eq!(scratch.files().len(), 2);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_never_replaced() {
    let scratch = Scratch::new("special");
    let (special, link) = (scratch.0.join("a.tar.gz"), scratch.0.join("link"));
    rustix::fs::mkfifoat(rustix::fs::CWD, &special, rustix::fs::Mode::RWXU).unwrap();
    std::os::unix::fs::symlink(&special, &link).unwrap();
    for existing in [Existing::Refuse, Existing::Replace] {
        for place in [&special, &link] {
            let refused = Place::File(place.clone()).check(existing).unwrap_err();
            assert_eq!((refused.code, refused.exit), ("is-no-file", Exit::Local));
            assert!(refused.hint.unwrap().contains("--output -"));
        }
        assert_eq!(receive(&scratch.0, existing).unwrap_err().code, "is-no-file");
    }
    assert_eq!(receive(&scratch.0, Existing::KeepBoth).unwrap(), scratch.0.join("a.tar (1).gz"));
}

#[test]
fn who_comes_first_keeps_the_name() {
    let scratch = Scratch::new("race");
    let target = Target::create(Place::of(Some(&scratch.0)), &name("a"), Existing::Refuse).unwrap();
    fs::write(scratch.0.join("a"), "first").unwrap();
    assert_eq!(target.keep(Mode::usual()).unwrap_err().code, "file-exists");
    assert_eq!(fs::read(scratch.0.join("a")).unwrap(), b"first");
    assert_eq!(scratch.files(), ["a"]);
}

#[cfg(unix)]
#[test]
fn a_link_is_replaced_and_not_followed() {
    let scratch = Scratch::new("link");
    let elsewhere = scratch.0.join("elsewhere");
    fs::write(&elsewhere, "old").unwrap();
    std::os::unix::fs::symlink(&elsewhere, scratch.0.join("a.tar.gz")).unwrap();
    assert_eq!(receive(&scratch.0, Existing::Refuse).unwrap_err().code, "file-exists");
    let path = receive(&scratch.0, Existing::Replace).unwrap();
    assert!(path.symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read(&elsewhere).unwrap(), b"old");
}

#[test]
fn an_output_is_a_folder_a_file_or_stdout() {
    let scratch = Scratch::new("output");
    let inside = |end: &str| PathBuf::from(format!("{}/{end}", scratch.0.display()));
    assert_eq!(Place::of(None), Place::Folder(".".into()));
    assert_eq!(Place::of(None).path(&name("a")), Path::new("a"));
    assert_eq!(Place::of(Some(&scratch.0)).path(&name("a")), inside("a"));
    assert_eq!(Place::of(Some(&inside("b"))).path(&name("a")), inside("b"));
    assert_eq!(Place::of(Some(&inside("b/"))), Place::Folder(inside("b/")));
    assert_eq!(Place::of(Some(Path::new("-"))), Place::Stdout);
    let wrong = |output: &Path, existing| Place::of(Some(output)).check(existing).unwrap_err().code;
    assert_eq!(wrong(&inside("b/"), Existing::Refuse), "no-such-folder");
    assert_eq!(wrong(&inside("b/c"), Existing::Refuse), "no-such-folder");
    fs::write(inside("b"), "").unwrap();
    assert_eq!(wrong(&inside("b"), Existing::Refuse), "file-exists");
    assert!(Place::of(Some(&inside("b"))).check(Existing::Replace).is_ok());
    fs::create_dir(inside("a.tar.gz")).unwrap();
    assert_eq!(receive(&scratch.0, Existing::Replace).unwrap_err().code, "file-exists");
}
