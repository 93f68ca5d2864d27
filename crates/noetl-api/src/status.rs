//! Where executions, steps, events, commands and workers stand.

word_enum! {
    /// Where an execution stands.
    ExecutionStatus {
        /// Its first step waits for a worker.
        Pending = "PENDING",
        /// It runs.
        Running = "RUNNING",
        /// It ended well.
        Completed = "COMPLETED",
        /// It failed.
        Failed = "FAILED",
        /// It was cancelled.
        Cancelled = "CANCELLED",
    }
}

impl ExecutionStatus {
    /// Those of executions that have not ended.
    pub const ACTIVE: &'static [Self] = &[Self::Pending, Self::Running];

    /// Whether the execution has ended.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

word_enum! {
    /// Where a step or one of its commands stands.
    StepStatus {
        /// A command waits for a worker.
        Pending = "PENDING",
        /// A worker runs it.
        Running = "RUNNING",
        /// It ended well.
        Completed = "COMPLETED",
        /// It failed.
        Failed = "FAILED",
        /// Its condition was not met.
        Skipped = "SKIPPED",
        /// The execution ended first.
        Cancelled = "CANCELLED",
    }
}

word_enum! {
    /// The status of an execution, step or command after an event.
    EventStatus {
        /// The execution or workflow began.
        Started = "STARTED",
        /// A command waits for a worker.
        Pending = "PENDING",
        /// A step, command or iteration began.
        Running = "RUNNING",
        /// It ended well.
        Completed = "COMPLETED",
        /// It failed.
        Failed = "FAILED",
        /// The execution was cancelled.
        Cancelled = "CANCELLED",
    }
}

impl From<EventStatus> for StepStatus {
    fn from(status: EventStatus) -> Self {
        match status {
            EventStatus::Pending => Self::Pending,
            EventStatus::Started | EventStatus::Running => Self::Running,
            EventStatus::Completed => Self::Completed,
            EventStatus::Failed => Self::Failed,
            EventStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<ExecutionStatus> for EventStatus {
    fn from(status: ExecutionStatus) -> Self {
        match status {
            ExecutionStatus::Pending => Self::Pending,
            ExecutionStatus::Running => Self::Running,
            ExecutionStatus::Completed => Self::Completed,
            ExecutionStatus::Failed => Self::Failed,
            ExecutionStatus::Cancelled => Self::Cancelled,
        }
    }
}

word_enum! {
    /// Whether a worker holds a command.
    CommandStatus {
        /// It waits for a worker.
        Pending = "pending",
        /// A worker holds it.
        Claimed = "claimed",
    }
}

word_enum! {
    /// Whether a worker is online.
    WorkerStatus {
        /// It sent a heartbeat within the last minute.
        Ready = "ready",
        /// It sent none for a minute.
        Offline = "offline",
    }
}

word_enum! {
    /// Whether a request was carried out.
    AnswerStatus {
        /// It was carried out.
        Ok = "ok",
        /// It was not, for the reason in the answer.
        Error = "error",
    }
}
