//! Dockerfile instructions that change an image's configuration (`docker import --change`).

/// Why a change could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no instruction that changes a configuration.
    #[error("{instruction} is not a valid change command")]
    Instruction {
        /// The instruction.
        instruction: String,
    },
}
