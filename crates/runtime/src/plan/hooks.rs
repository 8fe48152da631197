//! The hooks of a configuration, each at its point of a start.

use crate::{Launch, hooks};
use sampan_spec::bundle::RootFs;
use sampan_spec::journal::Failure;
use sampan_spec::oci::{self, ContainerState, Hook, Hooks, State};
use std::path::Path;

/// The hooks up to the program. Those behind it, `poststart` and `poststop`, are the caller's.
#[derive(Debug)]
pub(crate) struct HookPlan {
    hooks: Hooks,
    state: State,
}

/// A container's state as hooks are told it, but for what changes.
pub(crate) fn state(id: &str, bundle: &Path, config: &oci::Spec) -> State {
    State {
        oci_version: oci::VERSION.into(),
        id: id.into(),
        status: ContainerState::Creating,
        pid: 0,
        bundle: bundle.into(),
        annotations: config.annotations.clone(),
    }
}

impl HookPlan {
    pub(super) fn read(launch: &Launch<'_>) -> Self {
        Self {
            hooks: launch.config.hooks.clone().unwrap_or_default(),
            state: state(launch.id, launch.bundle, launch.config),
        }
    }

    /// Whether any has its turn before the program.
    pub(crate) fn any(&self) -> bool {
        let [prestart, create_runtime, create_container, start_container, ..] = self.hooks.lists();
        [prestart, create_runtime, create_container, start_container].iter().any(|list| !list.is_empty())
    }

    /// Whether any of the runtime's own name spaces has its turn before pivot_root(2).
    pub(crate) fn before_pivot(&self) -> bool {
        let [prestart, create_runtime, ..] = self.hooks.lists();
        !prestart.is_empty() || !create_runtime.is_empty()
    }

    /// `prestart` and `createRuntime`, in the runtime's name spaces.
    pub(crate) fn create_runtime(&self, pid: i32) -> Result<(), Failure> {
        let state = State { pid, ..self.state.clone() };
        let [prestart, create_runtime, ..] = self.hooks.lists();
        hooks::run(prestart, "prestart", &state, ContainerState::Creating)?;
        hooks::run(create_runtime, "createRuntime", &state, ContainerState::Creating)
    }

    /// `createContainer`, in the container's name spaces, whose root still is the host's.
    pub(crate) fn create_container(&self) -> Result<(), Failure> {
        self.inside(self.hooks.create_container.as_deref(), "createContainer", ContainerState::Creating)
    }

    /// `startContainer`, in the container.
    pub(crate) fn start_container(&self) -> Result<(), Failure> {
        self.inside(self.hooks.start_container.as_deref(), "startContainer", ContainerState::Created)
    }

    fn inside(&self, list: Option<&[Hook]>, name: &str, status: ContainerState) -> Result<(), Failure> {
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let state = State { pid, ..self.state.clone() };
        hooks::run(list.unwrap_or_default(), name, &state, status)
    }
}

impl super::Plan {
    /// Where the root is attached before it becomes the root. Hooks look for it where the configuration says that it is.
    pub(crate) fn place_of_root(&self) -> &Path {
        let seen = self.hooks.before_pivot() || self.hooks.hooks.create_container.is_some();
        match &self.rootfs {
            RootFs::Path { path } if seen => path,
            _ => Path::new("/"),
        }
    }
}
