//! A second, independent telling of the rules, for comparison: it reads the hand-copied table and keeps a lead as a
//! person would on paper, by contact point instead of by channel.

use std::collections::BTreeMap;

use lead_pipeline::domain::{
    AttemptFailure, Channel, ChannelState, ContactPoint, FollowUp, Meeting, MeetingId, OutreachMode, Override, Stage,
    Timestamp, Trigger,
};

use super::design_table::cell;

const LINE: [Stage; 7] = [
    Stage::New,
    Stage::Contacted,
    Stage::Engaged,
    Stage::Qualified,
    Stage::Scheduled,
    Stage::MeetingCompleted,
    Stage::Won,
];

/// A contact point that the lead has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Point {
    pub bad: bool,
    /// Which of its channels are used up, while it isn't bad.
    pub used_up: Vec<Channel>,
    pub failures: i32,
}

/// A lead on paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Every stage entered or confirmed, from the creation on; a history entry each.
    pub history: Vec<Stage>,
    /// 0: alive; else the rank of the dead mark.
    pub dead: i16,
    pub points: BTreeMap<ContactPoint, Point>,
    pub meeting: Option<(MeetingId, Timestamp)>,
    pub outreach: Option<Timestamp>,
    pub reply: Option<Timestamp>,
    pub entered: Timestamp,
}

/// What an accepted command did.
pub struct Done {
    pub entered: Vec<Stage>,
    pub follow_up: FollowUp,
}

impl Model {
    pub fn new(points: &[ContactPoint], now: Timestamp) -> Self {
        Self {
            history: vec![Stage::New],
            dead: 0,
            points: points.iter().map(|point| (*point, Point::default())).collect(),
            meeting: None,
            outreach: None,
            reply: None,
            entered: now,
        }
    }

    pub fn stage(&self) -> Stage {
        *self.history.last().expect("a lead has a history")
    }

    pub fn furthest(&self) -> Stage {
        *LINE.iter().rfind(|stage| self.history.contains(stage)).expect("every lead was new")
    }

    pub fn channel(&self, channel: Channel) -> ChannelState {
        match self.points.get(&channel.contact_point()) {
            None => ChannelState::Absent,
            Some(point) if point.bad => ChannelState::Bad,
            Some(point) if point.used_up.contains(&channel) => ChannelState::UsedUp,
            Some(_) => ChannelState::Open,
        }
    }

    fn shut(&self, mode: OutreachMode) -> bool {
        !mode.channels().iter().any(|channel| self.channel(*channel) == ChannelState::Open)
    }

    /// Applies a trigger; `None` if it is refused.
    pub fn trigger(&mut self, mode: OutreachMode, now: Timestamp, trigger: &Trigger) -> Option<Done> {
        let rank = match trigger {
            Trigger::NotInterested => 1,
            Trigger::Blocklisted => 2,
            Trigger::OptedOut => 3,
            _ => 0,
        };
        if self.dead > 0 && rank == 0 {
            return None;
        }
        let entered = match cell(self.stage(), trigger.kind()) {
            "-" if rank == 0 => return None,
            _ if self.dead > 0 => vec![],
            cell => self.execute(cell, mode, now, trigger)?,
        };
        self.dead = self.dead.max(rank);
        match trigger {
            Trigger::MessageSent => self.outreach = Some(now),
            Trigger::LeadReplied { channel } => self.reply_came(*channel, now),
            Trigger::MeetingBooked { meeting } => self.book(meeting),
            _ => {}
        }
        Some(self.enter(entered, now, matches!(trigger, Trigger::MessageSent)))
    }

    /// What the cell says: the stages entered, with the marks made that its note tells; `None` if it is refused.
    fn execute(&mut self, cell: &str, mode: OutreachMode, now: Timestamp, trigger: &Trigger) -> Option<Vec<Stage>> {
        let outreach = LINE[..4].contains(&self.stage());
        match trigger {
            Trigger::MeetingCancelled { meeting_id } | Trigger::MeetingTimePassed { meeting_id } if cell == "(b)" => {
                let Some((_, starts_at)) = self.meeting.as_ref().filter(|(id, _)| id == meeting_id) else {
                    return Some(vec![]);
                };
                match trigger {
                    Trigger::MeetingCancelled { .. } => Some(vec![Stage::Engaged]),
                    _ if now < *starts_at => None,
                    _ => Some(vec![Stage::MeetingCompleted]),
                }
            }
            Trigger::ChannelUsedUp { channel } => {
                let open = self.channel(*channel) == ChannelState::Open;
                let point = self.points.get_mut(&channel.contact_point())?;
                if open {
                    point.used_up.push(*channel);
                }
                let exhausted = cell == "(c)" && open && self.shut(mode);
                Some(if exhausted { vec![Stage::Exhausted] } else { vec![] })
            }
            Trigger::AllChannelsUsedUp => {
                for channel in mode.channels() {
                    if self.channel(*channel) == ChannelState::Open {
                        self.points.get_mut(&channel.contact_point())?.used_up.push(*channel);
                    }
                }
                Some(if cell == "(d)" { vec![Stage::Exhausted] } else { vec![] })
            }
            Trigger::ContactInfoAdded { contact_point } => {
                self.points.insert(*contact_point, Point::default());
                let revived = cell == "(e)" && !self.shut(mode);
                Some(if revived { vec![Stage::Contacted] } else { vec![] })
            }
            Trigger::ContactAttemptFailed { channel, failure } => self.attempt(*channel, *failure, mode, outreach),
            Trigger::AllContactAttemptsFailed => {
                let has = |point: &&ContactPoint| self.points.contains_key(point);
                let used: Vec<_> = mode.channels().iter().map(|channel| channel.contact_point()).collect();
                let mut tried: Vec<_> = ContactPoint::ALL.iter().filter(has).filter(|it| used.contains(it)).collect();
                if tried.is_empty() {
                    tried = ContactPoint::ALL.iter().filter(has).collect();
                }
                for point in &tried {
                    self.points.get_mut(point)?.bad = true;
                }
                Some(vec![if tried == [&ContactPoint::Phone] { Stage::BadPhone } else { Stage::BadContact }])
            }
            _ if cell == "same" => Some(vec![]),
            _ => Some(cell.split(',').map(stage_named).collect()),
        }
    }

    fn attempt(
        &mut self,
        on: Channel,
        failure: AttemptFailure,
        mode: OutreachMode,
        outreach: bool,
    ) -> Option<Vec<Stage>> {
        let point = self.points.get_mut(&on.contact_point())?;
        point.failures += 1;
        if point.bad || (failure == AttemptFailure::AttemptFailed && point.failures < 3) {
            return Some(vec![]);
        }
        point.bad = true;
        let phone_only_mode = matches!(mode, OutreachMode::SmsOnly | OutreachMode::VoiceOnly);
        let phone_bad = self.points.get(&ContactPoint::Phone).is_some_and(|phone| phone.bad);
        let end = if self.points.values().all(|point| point.bad) {
            if self.points.contains_key(&ContactPoint::Email) { Stage::BadContact } else { Stage::BadPhone }
        } else if phone_only_mode && phone_bad {
            Stage::BadPhone
        } else if outreach && self.shut(mode) {
            Stage::Exhausted
        } else {
            return Some(vec![]);
        };
        Some(vec![end])
    }

    fn reply_came(&mut self, channel: Option<Channel>, now: Timestamp) {
        self.reply = Some(now);
        if let Some(channel) = channel {
            self.points.insert(channel.contact_point(), Point::default());
        }
        for point in self.points.values_mut() {
            *point = Point { bad: point.bad, ..Point::default() };
        }
    }

    fn book(&mut self, meeting: &Meeting) {
        self.meeting = Some((meeting.id.clone(), meeting.starts_at));
    }

    /// A person's override.
    pub fn set_stage(&mut self, now: Timestamp, chosen: &Override) -> Done {
        if chosen.reopen_channels {
            self.points.values_mut().for_each(|point| *point = Point::default());
        }
        let entered = if chosen.stage == self.stage() { vec![] } else { vec![chosen.stage] };
        let done = self.enter(entered, now, false);
        if chosen.stage == Stage::Scheduled {
            self.meeting = chosen.meeting.as_ref().map(|meeting| (meeting.id.clone(), meeting.starts_at));
        }
        done
    }

    fn enter(&mut self, entered: Vec<Stage>, now: Timestamp, message: bool) -> Done {
        let from = self.stage();
        let Some(to) = entered.last().copied() else {
            self.history.push(from);
            let follow_up = match (self.dead, message, from) {
                (0, true, Stage::Nurture) => FollowUp::AfterCheckIn,
                (0, false, _) => FollowUp::Keep,
                _ => FollowUp::Cancel,
            };
            return Done { entered, follow_up };
        };
        self.history.extend(&entered);
        self.entered = now;
        if from == Stage::Scheduled && to != Stage::MeetingCompleted {
            self.meeting = None;
        }
        let follow_up = match (self.dead, from, to) {
            (0, Stage::Exhausted, Stage::Contacted) => FollowUp::DueNow,
            (0, _, Stage::Nurture) => FollowUp::AfterCheckIn,
            _ => FollowUp::Cancel,
        };
        Done { entered, follow_up }
    }
}

fn stage_named(name: &str) -> Stage {
    *Stage::ALL.iter().find(|stage| stage.name() == name).expect("the table names stages")
}
