export interface RafikiApi {
  Study: { state: string };
  [name: string]: any;
}
