//! Health checks in Docker's words, and back.

use sampan_api::body;
use sampan_engine::container::{Healthcheck, Phase, State};
use sampan_spec::health::{Health, HealthStatus, Probe};

/// The words of the filter `health`.
pub(super) const FILTER: [&str; 4] = ["none", "starting", "healthy", "unhealthy"];

/// What a client asks for.
pub(super) fn check(asked: body::Healthcheck) -> Healthcheck {
    let number = |value: Option<i64>| value.unwrap_or(0);
    Healthcheck {
        test: asked.test.unwrap_or_default(),
        interval: number(asked.interval),
        timeout: number(asked.timeout),
        start_period: number(asked.start_period),
        start_interval: number(asked.start_interval),
        retries: number(asked.retries),
    }
}

/// What was asked for, as it is shown.
pub(super) fn shown(check: &Healthcheck) -> body::Healthcheck {
    let number = |value: i64| Some(value).filter(|value| *value != 0);
    body::Healthcheck {
        test: Some(check.test.clone()).filter(|test| !test.is_empty()),
        interval: number(check.interval),
        timeout: number(check.timeout),
        start_period: number(check.start_period),
        start_interval: number(check.start_interval),
        retries: number(check.retries),
    }
}

/// What is so.
pub(super) fn health(health: &Health) -> body::Health {
    let result = |probe: &Probe| body::HealthcheckResult {
        start: probe.start.to_string(),
        end: probe.end.to_string(),
        exit_code: probe.code,
        output: probe.output.clone(),
    };
    body::Health {
        status: health.status.name().to_owned(),
        failing_streak: health.failing_streak,
        log: health.log.iter().map(result).collect(),
    }
}

/// The filter's word for a container.
pub(super) fn word(state: &State) -> &'static str {
    state.summary.health.as_ref().map_or(FILTER[0], |health| health.status.name())
}

/// What `ps` says behind the time for which it has been up.
pub(super) fn remark(state: &State) -> String {
    let Some(health) = state.summary.health.as_ref().filter(|_| matches!(state.phase, Phase::Running { .. }))
    else {
        return String::new();
    };
    match health.status {
        HealthStatus::Starting => " (health: starting)".to_owned(),
        known => format!(" ({})", known.name()),
    }
}
