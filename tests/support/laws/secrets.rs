//! L8: looks for secrets in what `Debug` prints.

/// So many bytes of a secret in a row are a leak.
const WINDOW: usize = 8;

/// What must not be seen.
pub(super) struct Watch {
    forms: Vec<String>,
}

impl Watch {
    /// For eight bytes in a row of any of these: as hex, as a list of numbers, or as escaped text.
    pub(super) fn new(secrets: &[Vec<u8>]) -> Self {
        let runs = secrets.iter().flat_map(|secret| secret.windows(WINDOW.min(secret.len().max(1))));
        Self { forms: runs.flat_map(encodings).collect() }
    }

    /// Whether there is anything to look for.
    pub(super) const fn is_idle(&self) -> bool {
        self.forms.is_empty()
    }

    /// Whether `text` shows a secret.
    pub(super) fn sees(&self, text: &str) -> bool {
        let lower = text.to_ascii_lowercase();
        self.forms.iter().any(|form| lower.contains(form))
    }
}

fn encodings(bytes: &[u8]) -> [String; 5] {
    let joined = |each: &dyn Fn(&u8) -> String, between: &str| {
        bytes.iter().map(each).collect::<Vec<_>>().join(between)
    };
    [
        joined(&|byte| format!("{byte:02x}"), ""),
        joined(&|byte| format!("{byte}"), ", "),
        joined(&|byte| format!("0x{byte:02x}"), ", "),
        joined(&|byte| format!("{byte:x}"), ", "),
        joined(&|byte| byte.escape_ascii().to_string().to_ascii_lowercase(), ""),
    ]
}
