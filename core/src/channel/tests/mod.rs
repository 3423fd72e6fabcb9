//! One test for each rule that concerns a whole link. `s` names a section of `connectivity`, `t` a rule of `threats`.

mod hostile;
mod links;
mod pair;
mod raw;
mod services;
mod streams;
