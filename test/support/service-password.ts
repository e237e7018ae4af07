/** Of rafiki_service and rafiki_reader in tests. */
export const SERVICE_PASSWORD = 'service';
