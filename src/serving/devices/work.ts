/** The roles of a batch, if several roles are active: threads take turns by role. */
export interface BatchRoles {
  /** Rows by role. */
  readonly rows: ReadonlyMap<string, number>;
  /** Whether the batch will take longer than other roles should wait. */
  readonly isLong: boolean;
  /** Called when a thread starts the batch; waiting time before is not counted. */
  onStart(): void;
}
