//! The verbs, a file each, and under which names they are reached.

mod attach;
mod container_prune;
mod cp;
mod create;
mod diff;
mod events;
mod exec;
mod history;
mod image_prune;
mod images;
mod import;
mod info;
mod inspect;
mod kill;
mod load;
mod login;
mod logout;
mod logs;
mod network;
mod pause;
mod port;
mod pruned;
mod ps;
mod pull;
mod rename;
mod restart;
mod rm;
mod rmi;
mod run;
mod start;
mod stats;
mod stop;
mod system;
mod tag;
mod top;
mod unpause;
mod update;
mod version;
mod volume;
mod wait;

use crate::verb::{Entry, Group, entry, named};

/// `sampan run`, ...
pub(crate) static VERBS: &[Entry] = &[
    entry::<attach::Attach>(),
    entry::<cp::Cp>(),
    entry::<create::Create>(),
    entry::<diff::Diff>(),
    entry::<events::Events>(),
    entry::<exec::Exec>(),
    entry::<history::History>(),
    entry::<images::Images>(),
    entry::<import::Import>(),
    entry::<info::Info>(),
    entry::<inspect::Inspect>(),
    entry::<kill::Kill>(),
    entry::<load::Load>(),
    entry::<login::Login>(),
    entry::<logout::Logout>(),
    entry::<logs::Logs>(),
    entry::<pause::Pause>(),
    entry::<port::Port>(),
    entry::<ps::Ps>(),
    entry::<pull::Pull>(),
    entry::<rename::Rename>(),
    entry::<restart::Restart>(),
    entry::<rm::Rm>(),
    entry::<rmi::Rmi>(),
    entry::<run::Run>(),
    entry::<start::Start>(),
    entry::<stats::Stats>(),
    entry::<stop::Stop>(),
    entry::<tag::Tag>(),
    entry::<top::Top>(),
    entry::<unpause::Unpause>(),
    entry::<update::Update>(),
    entry::<version::Version>(),
    entry::<wait::Wait>(),
];

/// `sampan container run`, ...
pub(crate) static GROUPS: &[Group] = &[
    Group {
        name: "container",
        about: "Manage containers",
        verbs: &[
            entry::<attach::Attach>(),
            entry::<cp::Cp>(),
            entry::<create::Create>(),
            entry::<diff::Diff>(),
            entry::<exec::Exec>(),
            entry::<inspect::ContainerInspect>(),
            entry::<kill::Kill>(),
            entry::<logs::Logs>(),
            named::<ps::Ps>("ls", &["list", "ps"]),
            entry::<pause::Pause>(),
            entry::<port::Port>(),
            entry::<container_prune::ContainerPrune>(),
            entry::<rename::Rename>(),
            entry::<restart::Restart>(),
            named::<rm::Rm>("rm", &["remove"]),
            entry::<run::Run>(),
            entry::<start::Start>(),
            entry::<stats::Stats>(),
            entry::<stop::Stop>(),
            entry::<top::Top>(),
            entry::<unpause::Unpause>(),
            entry::<update::Update>(),
            entry::<wait::Wait>(),
        ],
    },
    Group {
        name: "image",
        about: "Manage images",
        verbs: &[
            entry::<history::History>(),
            entry::<import::Import>(),
            entry::<inspect::ImageInspect>(),
            entry::<load::Load>(),
            named::<images::Images>("ls", &["list"]),
            entry::<image_prune::ImagePrune>(),
            entry::<pull::Pull>(),
            named::<rmi::Rmi>("rm", &["remove"]),
            entry::<tag::Tag>(),
        ],
    },
    Group {
        name: "network",
        about: "Manage networks",
        verbs: &[entry::<inspect::NetworkInspect>(), named::<network::Ls>("ls", &["list"])],
    },
    Group {
        name: "volume",
        about: "Manage volumes",
        verbs: &[
            entry::<volume::Create>(),
            entry::<inspect::VolumeInspect>(),
            named::<volume::Ls>("ls", &["list"]),
            entry::<volume::Prune>(),
            named::<volume::Rm>("rm", &["remove"]),
        ],
    },
    Group {
        name: "system",
        about: "Manage Sampan",
        verbs: &[
            entry::<system::Df>(),
            entry::<events::Events>(),
            entry::<info::Info>(),
            entry::<system::Install>(),
            entry::<system::Prune>(),
            entry::<system::StopContainers>(),
            entry::<system::Uninstall>(),
        ],
    },
];

/// `sampan system keep`: how this program starts itself again; nobody types it.
pub(crate) static HIDDEN: &[Entry] = &[entry::<system::Keep>()];

/// The help of `--format` where things are listed.
const LIST_FORMAT_HELP: &str = "Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";

/// The help of `--format` where one thing is shown.
const FORMAT_HELP: &str = "Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";
