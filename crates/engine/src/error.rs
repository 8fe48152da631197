//! What goes wrong in the engine, in the words that Docker's users know where Docker has some.

use sampan_spec::journal::Failure;
use sampan_spec::{Digest, ErrorKind, Platform, Reference};
use std::io;
use std::path::PathBuf;

/// The engine's result.
pub type Result<T> = std::result::Result<T, Error>;

/// A verb failed. Display is the whole text for the user but the source; `kind` says what sort of failure it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No container has this name or id.
    #[error("No such container: {0}")]
    NoSuchContainer(String),
    /// Another container's name spaces cannot be shared.
    #[error("{0}")]
    Peer(String),
    /// A container that another is linked to cannot be reached.
    #[error("{0}")]
    LinkDown(String),
    /// A link is to be removed, and what is named is a container.
    #[error("Conflict, cannot remove the default link name of the container")]
    OwnName,
    /// No network has this name or id.
    #[error("network {0} not found")]
    NoSuchNetwork(String),
    /// A network that always is, is to be removed.
    #[error("{0} is a pre-defined network and cannot be removed")]
    BuiltInNetwork(&'static str),
    /// A container is to be started in a network that there is not.
    #[error("failed to set up container networking: network {0} not found")]
    NoNetworkToJoin(String),
    /// The prefix of an id fits more than one network.
    #[error("multiple networks found with provided prefix: {0}")]
    AmbiguousNetwork(String),
    /// The prefix of an id fits more than one container.
    #[error("multiple IDs found with provided prefix: {0}")]
    AmbiguousContainer(String),
    /// No exec process has this id.
    #[error("No such exec instance: {0}")]
    NoSuchExec(String),
    /// The exec process was started before.
    #[error("exec command {0} has already run")]
    ExecAlreadyRan(String),
    /// A name has characters that names cannot have.
    #[error("Invalid container name ({0}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")]
    BadName(String),
    /// Another container has the name.
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to remove (or rename) \
         that container to be able to reuse that name."
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Who has it.
        id: String,
    },
    /// A container cannot get the name that it has.
    #[error("Renaming a container with the same name as its current name")]
    SameName,
    /// A rename from or to nothing.
    #[error("Neither old nor new names may be empty")]
    EmptyName,
    /// A container cannot get another name.
    #[error("Error when allocating new name: {0}")]
    NewName(Box<Error>),
    /// There is nothing at a path in a container.
    #[error("Could not find the file {path} in container {name}")]
    NoSuchPath {
        /// The path.
        path: String,
        /// The container, as the caller named it.
        name: String,
    },
    /// A tar cannot be unpacked in what is no folder.
    #[error("extraction point is not a directory")]
    NoExtractionPoint,
    /// Nothing can be copied into a root file system that cannot be written.
    #[error("container rootfs is marked read-only")]
    ReadOnlyRoot,
    /// Somebody copies from the container or into it.
    #[error("the container's files are being copied")]
    RootLent(crate::container::Returned),
    /// Files could not be copied.
    #[error(transparent)]
    Archive(#[from] sampan_archive::Error),
    /// It cannot be changed like that.
    #[error("{0}")]
    Conflict(String),
    /// The kernel or the monitor would not take new limits.
    #[error("Cannot update container {id}: {reason}")]
    Update {
        /// The container.
        id: String,
        /// Why.
        reason: String,
    },
    /// ps(1) would not.
    #[error("ps: {0}")]
    Ps(String),
    /// Neither user nor image say what to run.
    #[error("no command specified")]
    NoCommand,
    /// An exec without a command.
    #[error("No exec command specified")]
    NoExecCommand,
    /// A value in a request can never be right.
    #[error("{0}")]
    InvalidParameter(String),
    /// Something is asked for that Sampan or this host does not have.
    #[error("{0}")]
    NotSupported(String),
    /// The host cannot mount something so.
    #[error("{0}")]
    MountRefused(String),
    /// It runs already.
    #[error("container {0} is already running")]
    AlreadyStarted(String),
    /// It does not run already.
    #[error("container {0} is not running")]
    AlreadyStopped(String),
    /// It does not run.
    #[error("container {0} is not running")]
    NotRunning(String),
    /// A signal to a container that does not run.
    #[error("cannot kill container: {name}: container {id} is not running")]
    CannotKill {
        /// As the caller named it.
        name: String,
        /// Its id.
        id: String,
    },
    /// It is paused.
    #[error("Container {0} is paused, unpause the container before exec")]
    Paused(String),
    /// It is paused, and is to be.
    #[error("Container {0} is already paused")]
    AlreadyPaused(String),
    /// It is not paused, and cannot be let run again.
    #[error("Container {0} is not paused")]
    NotPaused(String),
    /// A paused container cannot be started.
    #[error("cannot start a paused container, try unpause instead")]
    StartPaused,
    /// It waits to be started again.
    #[error("Container {0} is restarting, wait until the container is running")]
    Restarting(String),
    /// It is being removed.
    #[error("removal of container {0} is already in progress")]
    Removing(String),
    /// It runs, and its removal was not forced.
    #[error(
        "cannot remove container \"{name}\": container is running: stop the container before removing or force remove"
    )]
    RemoveRunning {
        /// Its name with a slash.
        name: String,
    },
    /// The image is used by a container.
    #[error("conflict: {0}")]
    ImageInUse(String),
    /// A registry has no such tag or digest.
    #[error("manifest for {reference} not found: {problem}")]
    NoSuchManifest {
        /// What was asked for.
        reference: String,
        /// What the registry says.
        problem: String,
    },
    /// A registry has no such repository.
    #[error("repository {name} not found: {problem}")]
    NoSuchRepository {
        /// What was asked for.
        name: String,
        /// What the registry says.
        problem: String,
    },
    /// A registry does not show a repository to just anybody, or does not have it.
    #[error(
        "pull access denied for {name}, repository does not exist or may require 'docker login': {problem}"
    )]
    PullDenied {
        /// What was asked for.
        name: String,
        /// What the registry says.
        problem: String,
    },
    /// An index has nothing for the platform.
    #[error("no matching manifest for {0} in the manifest list entries")]
    NoSuchPlatform(Platform),
    /// An image is here, and for another platform.
    #[error(
        "image with reference {reference} was found but its platform ({found}) does not match the specified platform ({asked})"
    )]
    OtherPlatform {
        /// The image, as the user named it.
        reference: String,
        /// What it is for.
        found: String,
        /// What was asked for.
        asked: String,
    },
    /// An index lists an index that lists an index.
    #[error("the index {digest} is too deep inside of others")]
    DeepIndex {
        /// The innermost.
        digest: Digest,
    },
    /// It is something else than an image.
    #[error("unsupported media type {media_type}")]
    Artifact {
        /// What it is.
        media_type: String,
    },
    /// The image is for another system.
    #[error("cannot download image with operating system \"{system}\" when requesting \"linux\"")]
    OtherSystem {
        /// What it is for.
        system: String,
    },
    /// Nobody wants it any more.
    #[error("context canceled")]
    Cancelled,
    /// A registry failed.
    #[error(transparent)]
    Registry(#[from] sampan_registry::Error),
    /// An option of the container's log cannot be meant.
    #[error("failed to create task for container: failed to initialize logging driver: {0}")]
    Logging(String),
    /// The process could not be started.
    #[error("{}", .0.start_text())]
    Start(Failure),
    /// An exec process could not be started.
    #[error("{}", .0.exec_text())]
    ExecStart(Failure),
    /// The container could not be joined to its network, or a published port is taken.
    #[error("{0}")]
    Endpoint(String),
    /// The process has no terminal.
    #[error("cannot resize a stopped container or one without a terminal: {0}")]
    NoTerminal(String),
    /// The container's monitor does not answer.
    #[error(
        "the monitor of container {id} does not answer ({reason}); if it hangs, `kill` and `rm -f` still work"
    )]
    Monitor {
        /// The container.
        id: String,
        /// What came of it.
        reason: String,
    },
    /// A verb on a volume failed.
    #[error(transparent)]
    Volume(#[from] crate::volume::VolumeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] sampan_store::Error),
    /// A container's journal could not be read or written.
    #[error(transparent)]
    Journal(#[from] sampan_logs::journal::JournalError),
    /// A container's log could not be read.
    #[error(transparent)]
    Log(#[from] sampan_logs::log::LogError),
    /// The network failed.
    #[error("network: {0}")]
    Network(#[from] sampan_network::Error),
    /// A file operation failed.
    #[error("{verb} {path}")]
    File {
        /// What was tried.
        verb: &'static str,
        /// With what.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
    /// An operation on the host failed.
    #[error("{what}")]
    Host {
        /// What was tried.
        what: String,
        /// What came of it.
        source: io::Error,
    },
    /// The host cannot be cleaned up under them.
    #[error("containers still run: stop them first")]
    StillRunning,
    /// The engine is stopping.
    #[error("the daemon is stopping")]
    Stopping,
    /// A step was told to fail by a test.
    #[error("failed on purpose after step {0}")]
    OnPurpose(String),
}

impl Error {
    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchContainer(_)
            | Self::NoSuchExec(_)
            | Self::NoSuchNetwork(_)
            | Self::NoNetworkToJoin(_)
            | Self::NoSuchManifest { .. }
            | Self::NoSuchRepository { .. }
            | Self::PullDenied { .. }
            | Self::OtherPlatform { .. }
            | Self::NoSuchPlatform(_) => ErrorKind::NotFound,
            Self::AmbiguousContainer(_)
            | Self::AmbiguousNetwork(_)
            | Self::BadName(_)
            | Self::SameName
            | Self::EmptyName
            | Self::NoCommand
            | Self::NoExecCommand
            | Self::Start(_)
            | Self::ExecStart(_)
            | Self::Artifact { .. }
            | Self::DeepIndex { .. }
            | Self::OtherSystem { .. }
            | Self::MountRefused(_)
            | Self::InvalidParameter(_) => ErrorKind::InvalidParameter,
            Self::NameTaken { .. }
            | Self::ExecAlreadyRan(_)
            | Self::NotRunning(_)
            | Self::CannotKill { .. }
            | Self::Paused(_)
            | Self::AlreadyPaused(_)
            | Self::StartPaused
            | Self::Restarting(_)
            | Self::Removing(_)
            | Self::RemoveRunning { .. }
            | Self::NoTerminal(_)
            | Self::Peer(_)
            | Self::StillRunning
            | Self::ImageInUse(_) => ErrorKind::Conflict,
            Self::AlreadyStarted(_) | Self::AlreadyStopped(_) => ErrorKind::NotModified,
            Self::NotSupported(_) => ErrorKind::NotImplemented,
            Self::Stopping | Self::Monitor { .. } => ErrorKind::Unavailable,
            Self::NoSuchPath { .. } => ErrorKind::NotFound,
            Self::NoExtractionPoint => ErrorKind::InvalidParameter,
            Self::ReadOnlyRoot | Self::BuiltInNetwork(_) => ErrorKind::Forbidden,
            Self::RootLent(_) | Self::Conflict(_) => ErrorKind::Conflict,
            Self::Archive(e) => archive_kind(e),
            Self::NewName(e) => e.kind(),
            Self::Volume(e) => e.kind(),
            Self::Store(e) => e.kind(),
            Self::Registry(e) => e.kind(),
            Self::Network(e) => e.kind(),
            Self::NotPaused(_)
            | Self::Ps(_)
            | Self::LinkDown(_)
            | Self::OwnName
            | Self::Update { .. }
            | Self::Endpoint(_)
            | Self::Cancelled
            | Self::Journal(_)
            | Self::Log(_)
            | Self::Logging(_)
            | Self::File { .. }
            | Self::Host { .. }
            | Self::OnPurpose(_) => ErrorKind::System,
        }
    }

    /// A file operation failed.
    pub(crate) fn file(verb: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { verb, path, source }
    }

    /// A registry refused, in the words that Docker has for it.
    pub(crate) fn of_registry(asked: &Reference, error: sampan_registry::Error) -> Self {
        let sampan_registry::Error::Refused { problems, .. } = &error else { return error.into() };
        let (problem, name) = (problems.to_string(), asked.name.familiar());
        match problems.code() {
            Some("DENIED") => Self::PullDenied { name, problem },
            Some("NAME_UNKNOWN") => Self::NoSuchRepository { name, problem },
            Some("MANIFEST_UNKNOWN") => Self::NoSuchManifest { reference: asked.familiar(), problem },
            _ => error.into(),
        }
    }
}

fn archive_kind(error: &sampan_archive::Error) -> ErrorKind {
    use sampan_archive::Error as E;
    match error {
        E::NotFound { .. } => ErrorKind::NotFound,
        E::Tar(e) if !e.is_foreign() => ErrorKind::System,
        E::Tar(_) | E::Outside { .. } | E::OverFolder { .. } | E::OverFile { .. } => {
            ErrorKind::InvalidParameter
        }
        E::NotFolder { .. } | E::Read { .. } | E::Stream(_) | E::Write { .. } => ErrorKind::System,
    }
}
