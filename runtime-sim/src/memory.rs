//! Resident memory of this process, for the memory of a node: growth over the run, divided by the nodes.

/// Bytes of this process that are in memory now; none where the system does not tell (it does on Linux).
#[must_use]
pub fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
