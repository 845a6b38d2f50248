/**
 * Alerts: requests, errors and durations counted by minute and route, looked at by a cron, and told to people.
 * @module
 */
export { Alerts, type AlertsOptions, createAlerts } from './alerts.ts'
export { binomialTail, chanceOfJump, type Share } from './chance.ts'
export type { Channel } from './channel.ts'
export { mail } from './channels/mail.ts'
export { report } from './channels/report.ts'
export { slack } from './channels/slack.ts'
export { type WebhookOptions, webhook } from './channels/webhook.ts'
export type { Notice } from './evaluate.ts'
export { countRequests } from './middleware.ts'
export type { AlertRules } from './rules.ts'
export type { SentryAction, SentryAlert, SentryAlerts, SentryMeasure, SentryMonitor } from './sentry.ts'
export { type AlertsRedis, type AlertsStore, memoryStore, redisStore } from './store.ts'
